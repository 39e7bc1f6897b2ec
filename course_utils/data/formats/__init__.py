"""Read and write datasets in the layouts and files that others use."""
