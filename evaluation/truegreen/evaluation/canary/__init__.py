"""Plants a right and a wrong answer and looks whether each comes out at the far end as it should."""
