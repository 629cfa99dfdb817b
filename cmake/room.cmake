# The folders of the rooms with a library, in the order of scripts/rooms.sh: engine/base, ...
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS scripts/rooms.sh)
file(READ scripts/rooms.sh rooms)
string(REGEX MATCHALL "(engine|frontends|runner)/[a-z]+" DV_ROOM_FOLDERS "${rooms}")

# Adds the rooms of the current folder `top`, which lies at the top of the tree.
macro(dv_add_rooms top)
    foreach(folder IN LISTS DV_ROOM_FOLDERS)
        if(folder MATCHES "^${top}/(.+)$")
            add_subdirectory(${CMAKE_MATCH_1})
        endif()
    endforeach()
endmacro()

# The rooms are static libraries in one chain: each is linked with the one before it, and so with all
# earlier ones. A symbol of a later room is reported by scripts/check_links.sh, and by the linker if
# nothing else has pulled it in.

#   dv_room(NAME SOURCES file... [LIBRARIES library...] [FOR_ALL_ABOVE library...])
#
# Adds the next room, dv_NAME, in the current folder. LIBRARIES are linked only with this room,
# those FOR_ALL_ABOVE also with all later rooms.
function(dv_room name)
    cmake_parse_arguments(room "" "" "SOURCES;LIBRARIES;FOR_ALL_ABOVE" ${ARGN})
    get_property(rooms GLOBAL PROPERTY DV_ROOMS)
    set(below dv_flags)
    if(rooms)
        list(GET rooms -1 below)
    endif()
    add_library(dv_${name} STATIC ${room_SOURCES})
    target_link_libraries(dv_${name} PUBLIC ${below} ${room_FOR_ALL_ABOVE}
                          PRIVATE ${room_LIBRARIES})
    set_property(GLOBAL APPEND PROPERTY DV_ROOMS dv_${name})
endfunction()

# Adds files of the current folder to the sources of the CUDA module.
function(dv_cuda_sources)
    list(TRANSFORM ARGN PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/)
    set_property(GLOBAL APPEND PROPERTY DV_CUDA_SOURCES ${ARGN})
endfunction()
