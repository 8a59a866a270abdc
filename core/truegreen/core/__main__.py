"""`python -m truegreen.core`: the root command without its script, for whoever starts it as a process."""

from truegreen.core.cli import main

if __name__ == "__main__":
    main()
