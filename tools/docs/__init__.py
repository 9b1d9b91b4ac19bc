"""The documentation site: its generated pages, its build and its checks."""
