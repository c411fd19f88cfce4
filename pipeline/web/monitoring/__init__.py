"""What programs watch: /metrics for Prometheus and /healthz, both without a token.

`probes` has the two routes. `studio_metrics` gathers the figures from what the cards of the home page read, and
`stage_counts` counts the stages that end while the server works. `health` says whether the server reaches its folders.
"""
