"""The pipeline's work as plain functions and classes, which know nothing of Luigi. A package for each stage or topic:

`crawl` (download) -> `images` (normalise) -> `labels`, `filter` (classify) -> `gan` (train, generate) -> `report`
`store` keeps the artifacts between the stages; `web` is the label page; `demo` is the embedded dataset; `style` draws
pictures in the style of others.
All may use `errors`, `options`, `progress`, `result`, `text`, `machine` (cores, environment) and `neighbours`. The
package tasks joins them to a run.
"""
