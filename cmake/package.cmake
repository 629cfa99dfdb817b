# The shared library, and the destinations of `cmake --install`.

# The library contains all rooms except the command line. Only functions marked DV_API are exported.
get_property(rooms GLOBAL PROPERTY DV_ROOMS)
list(REMOVE_ITEM rooms dv_cli)
list(GET rooms -1 last_room)
list(TRANSFORM rooms REPLACE "(.+)" "$<TARGET_OBJECTS:\\1>" OUTPUT_VARIABLE objects)
add_library(dv_shared SHARED ${objects})
add_library(decavox::decavox ALIAS dv_shared)
target_link_libraries(dv_shared PRIVATE ${last_room})
set_target_properties(dv_shared PROPERTIES OUTPUT_NAME decavox EXPORT_NAME decavox)
# A wheel cannot hold symbolic links, and only the program beside its library loads the library.
if(NOT SKBUILD)
    set_target_properties(dv_shared PROPERTIES
        VERSION ${PROJECT_VERSION}
        SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
endif()
# Visibility hides our own functions. The map hides the symbols that the compiler adds for OpenMP and
# the sanitizers, and our functions with target_clones, for which GCC loses the visibility.
target_link_options(dv_shared PRIVATE
                    LINKER:--version-script=${PROJECT_SOURCE_DIR}/cmake/exported.map)
set_property(TARGET dv_shared APPEND PROPERTY LINK_DEPENDS
             ${PROJECT_SOURCE_DIR}/cmake/exported.map)
target_include_directories(dv_shared INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)

install(FILES include/decavox.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})

# The installed program and library find the libraries that they depend on.
file(RELATIVE_PATH DV_LIBRARY_FROM_PROGRAM /${CMAKE_INSTALL_BINDIR} /${CMAKE_INSTALL_LIBDIR})
# The build uses the same paths. Otherwise CMake would reserve room for the longer one with an empty
# path, and the loader would search the working folder for every library.
set_target_properties(decavox PROPERTIES
                      INSTALL_RPATH "$ORIGIN/${DV_LIBRARY_FROM_PROGRAM};$ORIGIN/..")
set_target_properties(dv_shared PROPERTIES INSTALL_RPATH "$ORIGIN")
set_target_properties(decavox dv_shared PROPERTIES BUILD_WITH_INSTALL_RPATH ON)
install(TARGETS decavox RUNTIME)
install(TARGETS dv_spin LIBRARY)
install(TARGETS dv_shared EXPORT decavoxTargets LIBRARY)
install(DIRECTORY configs/ DESTINATION ${CMAKE_INSTALL_DATADIR}/decavox/configs)
install(DIRECTORY checkpoints/ DESTINATION ${CMAKE_INSTALL_DATADIR}/decavox/checkpoints
        FILES_MATCHING PATTERN "*.safetensors" PATTERN "*.json" PATTERN "*_*.md" PATTERN "lightweight.md"
        PATTERN "mini.md" PATTERN "results" EXCLUDE)
if(NOT CMAKE_INSTALL_PREFIX STREQUAL /usr) # Debian keeps licences in a place of its own
    install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
endif()

# pkg-config, with paths relative to the file, so that an installed tree can be moved.
file(RELATIVE_PATH DV_PREFIX_FROM_PC /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
configure_file(cmake/decavox.pc.in decavox.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/decavox.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

# find_package(decavox), with the target decavox::decavox.
include(CMakePackageConfigHelpers)
set(DV_CMAKE_FOLDER ${CMAKE_INSTALL_LIBDIR}/cmake/decavox)
install(EXPORT decavoxTargets NAMESPACE decavox:: DESTINATION ${DV_CMAKE_FOLDER})
configure_package_config_file(cmake/decavoxConfig.cmake.in decavoxConfig.cmake
                              INSTALL_DESTINATION ${DV_CMAKE_FOLDER})
write_basic_package_version_file(decavoxConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/decavoxConfig.cmake
        ${PROJECT_BINARY_DIR}/decavoxConfigVersion.cmake DESTINATION ${DV_CMAKE_FOLDER})
