"""Which part of the traffic is served worse: tests of each cohort, and the search for the slice that explains a drop."""
