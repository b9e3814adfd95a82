"""The VTN's store in SQL: SQLite by default, PostgreSQL by URL, one schema for both."""
