"""Style transfers that people submit: pictures in, pictures in another style out.

`style_queue` keeps them on the disk and runs them one at a time as `python -m tasks stylize`; `style_submission` checks
and stores what is sent; `style_results` reads what a transfer has made so far, and `style_view` says how it stands.
"""
