"""`python -m spots_ml.cli`: the command line without its installed script."""

from spots_ml.cli.group import main

if __name__ == "__main__":
    main()
