# Short names for the chores of this repository; `cargo xtask --help` has all of them.

# Every check.
test:
    cargo xtask test

# The formal models in spec/models: Spin, and ProVerif if it is there.
models:
    cargo xtask models
