# Manual pages and completions of shells, which the program makes of its own tables, and where they
# are installed.
if(CMAKE_CROSSCOMPILING AND NOT CMAKE_CROSSCOMPILING_EMULATOR)
    message(STATUS "manual pages and completions are not made: the program that is built does not run here")
    return()
endif()

set(pages ${PROJECT_BINARY_DIR}/pages)
add_custom_command(OUTPUT ${pages}/made
    COMMAND ${CMAKE_COMMAND} -E env --unset=DECAVOX_HOME
            ${CMAKE_COMMAND} -D "PROGRAM=${CMAKE_CROSSCOMPILING_EMULATOR};$<TARGET_FILE:decavox>"
            -D OUT=${pages} -P ${PROJECT_SOURCE_DIR}/cmake/make_pages.cmake
    DEPENDS decavox ${PROJECT_SOURCE_DIR}/cmake/make_pages.cmake
    WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}
    COMMENT "Making manual pages and completions"
    VERBATIM)
add_custom_target(dv_pages ALL DEPENDS ${pages}/made)

install(DIRECTORY ${pages}/man1 DESTINATION ${CMAKE_INSTALL_MANDIR})
install(FILES ${pages}/decavox.bash RENAME decavox
        DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
set(zsh_folder site-functions)
if(CMAKE_INSTALL_PREFIX STREQUAL /usr) # Debian keeps that one for the administrator
    set(zsh_folder vendor-completions)
endif()
install(FILES ${pages}/decavox.zsh RENAME _decavox
        DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/${zsh_folder})
install(FILES ${pages}/decavox.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
