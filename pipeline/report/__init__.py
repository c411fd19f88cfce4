"""The report stage (`report`): one HTML page with sheets, figures and plots, from what the other stages left.

It reads their artifacts only, trains nothing, and copies each picture that it shows: the folder can be sent away.
"""
