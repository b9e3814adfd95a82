"""What a run leaves behind: a table, JUnit XML, an HTML page, a transcript."""
