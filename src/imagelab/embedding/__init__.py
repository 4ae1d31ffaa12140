"""Features of pictures: a table, nearest neighbours, a map."""
