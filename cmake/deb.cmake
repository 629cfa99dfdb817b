# The target `package`: decavox_VERSION_ARCHITECTURE.deb, all of decavox as one Debian package. The
# program and the library in it must be compiled for the prefix /usr. A build for another prefix
# makes the package through a second build in the folder deb.

set(DV_DEB_MAINTAINER "decavox maintainers <maintainers@decavox.example>" CACHE STRING
    "who answers for the .deb: NAME <ADDRESS>")

if(NOT CMAKE_INSTALL_PREFIX STREQUAL /usr)
    set(inner ${PROJECT_BINARY_DIR}/deb)
    set(settings DV_DEB_MAINTAINER CPACK_OUTPUT_FILE_PREFIX CMAKE_TOOLCHAIN_FILE CMAKE_C_COMPILER
        CMAKE_C_COMPILER_LAUNCHER CMAKE_MAKE_PROGRAM)
    set(CPACK_OUTPUT_FILE_PREFIX ${PROJECT_BINARY_DIR})
    # CMake chooses Debian's folder of libraries by itself only when it builds for this machine.
    set(arguments -D CMAKE_BUILD_TYPE=Release -D CMAKE_INSTALL_PREFIX=/usr
        -D CMAKE_INSTALL_LIBDIR=lib/${CMAKE_C_LIBRARY_ARCHITECTURE} -D DV_TESTS=OFF -D DV_CUDA=OFF)
    foreach(name IN LISTS settings)
        if(${name})
            list(APPEND arguments -D "${name}=${${name}}")
        endif()
    endforeach()
    add_custom_target(package
        COMMAND ${CMAKE_COMMAND} -S ${PROJECT_SOURCE_DIR} -B ${inner} -G ${CMAKE_GENERATOR}
                ${arguments}
        COMMAND ${CMAKE_COMMAND} --build ${inner} --target package
        COMMENT "Building for /usr in ${inner}"
        USES_TERMINAL
        VERBATIM)
    return()
endif()

# The loader searches /usr/lib/TRIPLET by itself, so no rpath is needed.
set_target_properties(decavox dv_shared PROPERTIES INSTALL_RPATH "" BUILD_WITH_INSTALL_RPATH OFF)

# Debian wants more of a package: the copyright, a changelog, and the reasons why lintian's word is
# not taken in some points.
set(made ${PROJECT_BINARY_DIR}/deb)
file(MAKE_DIRECTORY ${made})
execute_process(COMMAND git log -1 --format=%aD WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}
                OUTPUT_VARIABLE date OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
if(NOT date)
    string(TIMESTAMP date "%a, %d %b %Y %H:%M:%S +0000" UTC)
endif()
configure_file(cmake/deb/changelog.in ${made}/changelog @ONLY)
add_custom_command(OUTPUT ${made}/changelog.gz
    COMMAND gzip -9 --no-name --force --keep changelog
    DEPENDS ${made}/changelog
    WORKING_DIRECTORY ${made}
    VERBATIM)
add_custom_target(dv_deb_changelog ALL DEPENDS ${made}/changelog.gz)
install(FILES ${made}/changelog.gz cmake/deb/copyright DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES cmake/deb/overrides DESTINATION ${CMAKE_INSTALL_DATADIR}/lintian/overrides
        RENAME decavox)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME decavox)
set(CPACK_PACKAGE_CONTACT "${DV_DEB_MAINTAINER}")
set(CPACK_PACKAGE_DESCRIPTION_FILE ${PROJECT_SOURCE_DIR}/cmake/deb/description)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ
    GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_COMPRESSION_TYPE none) # the script below repacks it, and dpkg-deb compresses then
set(CPACK_DEBIAN_PACKAGE_SECTION sound)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${PROJECT_BINARY_DIR})
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS_POLICY ">=")
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${PROJECT_SOURCE_DIR}/cmake/deb/triggers)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS espeak-ng)
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "c-compiler, pkgconf, python3")
set(CPACK_POST_BUILD_SCRIPTS ${PROJECT_SOURCE_DIR}/cmake/deb/without_scripts.cmake)
include(CPack)
