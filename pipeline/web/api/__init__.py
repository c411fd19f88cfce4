"""The REST interface below /api/v1: each module has the routes of one kind of thing, which the pages' scripts use too.

`labels_api` has the squares and labels of a dataset, and why a picture is no square.
"""
