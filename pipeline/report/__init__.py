"""The report stage (`report`): one HTML page with sheets, figures and plots, from what the other stages left."""
