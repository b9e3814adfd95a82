"""The agent's memory in SQL: SQLite by default, PostgreSQL by URL, one schema for both."""
