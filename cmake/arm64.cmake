# Toolchain of the preset arm64: Debian's GCC and libraries for 64-bit ARM, which are installed
# beside those of the building machine. scripts/install_packages.sh arm64 installs them.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(triplet aarch64-linux-gnu)
set(CMAKE_C_COMPILER ${triplet}-gcc)
set(CMAKE_CXX_COMPILER ${triplet}-g++)
set(ENV{PKG_CONFIG_LIBDIR} /usr/lib/${triplet}/pkgconfig:/usr/share/pkgconfig)
# Debian 12 cannot install libdnnl-dev for two architectures at once, because one header differs in
# the runtime for GPUs, which is not used here. So the build uses the header of the building machine,
# and names the library as it is called at run time.
set(DNNL_LIBRARY /usr/lib/${triplet}/libdnnl.so.2 CACHE FILEPATH "oneDNN for 64-bit ARM")
# The emulator runs the tests, and the program when the build uses it. It finds Debian's libraries by
# itself.
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64)
set(CPACK_DEBIAN_PACKAGE_ARCHITECTURE arm64)
