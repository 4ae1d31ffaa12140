"""The drawing kit of HTML pages: charts, tables, pictures; knows nothing of runs."""
