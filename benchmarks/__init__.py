"""`python -m benchmarks`: this package beside others, and beside a copy of memory."""
