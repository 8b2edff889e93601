"""Running unittest's tests, Django's too, one context for each, with their outcomes in a file for an editor.

`python -m footfall.unittest_plugin` is `python -m unittest` with some options (__main__.py); django.py has a test
runner for `manage.py test`. Loaded on request only.
"""
