"""python -m tbhdup."""

from tbhdup.cli import main

if __name__ == "__main__":
    main()
