"""Where the batches of a pass are computed: in this process, or in a Ray cluster."""
