"""`footfall html`: a folder of pages from one run's data, with nothing loaded from elsewhere.

Each page is one JSON payload and the viewer (`web/` in the repository, built into `report/assets`), which draws it.
"""
