# Checkpoints that are mixed from others. The tree has only their cards, with the members and their
# shares. The build makes the file beside the card, with the same bytes in every build.
function(dv_mix_checkpoint name)
    set(card checkpoints/${name}.json)
    set(file checkpoints/${name}.safetensors)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${card})
    file(READ ${card} text)
    string(JSON precision GET "${text}" file precision)
    string(JSON count LENGTH "${text}" members)
    math(EXPR last "${count} - 1")
    foreach(i RANGE ${last})
        string(JSON member GET "${text}" members ${i} name)
        string(JSON share GET "${text}" members ${i} share)
        list(APPEND members checkpoints/${member}.safetensors)
        list(APPEND shares ${share})
    endforeach()
    list(JOIN shares "," shares)
    set(command decavox ensemble ${members} --shares ${shares} --file_precision ${precision}
                --out ${file} --force)

    execute_process(COMMAND test -w ${PROJECT_SOURCE_DIR}/checkpoints RESULT_VARIABLE cannot_write)
    if(CMAKE_CROSSCOMPILING AND NOT CMAKE_CROSSCOMPILING_EMULATOR)
        set(reason "the program that is built does not run here")
    elseif(cannot_write)
        set(reason "the folder cannot be written")
    endif()
    if(DEFINED reason)
        list(JOIN command " " command)
        message(STATUS "${file} is not made: ${reason}. What makes it: ${command}")
        return()
    endif()
    list(TRANSFORM members PREPEND ${PROJECT_SOURCE_DIR}/)
    add_custom_command(OUTPUT ${PROJECT_SOURCE_DIR}/${file}
                       COMMAND ${command}
                       DEPENDS decavox ${members} ${PROJECT_SOURCE_DIR}/${card}
                       WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}
                       COMMENT "Mixing ${file}"
                       VERBATIM)
    add_custom_target(${name} ALL DEPENDS ${PROJECT_SOURCE_DIR}/${file})
endfunction()

dv_mix_checkpoint(ensemble_fine)
