"""The same checks on more rows: on several processes of one machine, or on a Spark cluster."""
