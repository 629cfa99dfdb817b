# The list of rooms in the order in which they are linked, beginning with the lowest. It is used by
# check_includes.sh, check_links.sh and cmake/room.cmake.
rooms=(
    kernels/formulas
    kernels
    engine/base engine/program engine/core engine/device engine/gemm engine/optimizer engine/ops engine/layers
    engine/train engine/backends
    frontends/audio frontends/features frontends/noise frontends/augment frontends/dataset
    frontends/batch frontends/model
    runner/page runner/experiment runner/evaluate runner/export runner/predict runner/training runner/data runner/crossval
    runner/compare runner/runs runner/synth runner/cli
)
