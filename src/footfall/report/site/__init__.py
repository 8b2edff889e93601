"""`footfall html`: a folder of pages from one run's data, which load nothing from elsewhere.

Each page is one JSON payload plus the viewer that draws it (`web/` in the repository, built into `report/assets`).
"""
