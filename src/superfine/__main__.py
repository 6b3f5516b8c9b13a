"""`python -m superfine` is the same as `superfine`."""

from superfine.cli.main import main

if __name__ == "__main__":
    main()
