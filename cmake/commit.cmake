# Writes OUT, the C file of runner/cli/commit.h with the commit of the sources in ROOT, unless its
# content would stay the same. The commit is "0a1b2c3d4e5f", with "-dirty" if a source file has been
# changed; it is "unknown" if ROOT itself is not a checkout or git is missing.
execute_process(COMMAND git rev-parse --show-toplevel WORKING_DIRECTORY ${ROOT}
                OUTPUT_VARIABLE top OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET
                RESULT_VARIABLE status)
set(commit unknown)
file(REAL_PATH "${ROOT}" root)
if("${status}" STREQUAL "0" AND "${top}" STREQUAL "${root}")
    execute_process(COMMAND git rev-parse --short=12 HEAD WORKING_DIRECTORY ${ROOT}
                    OUTPUT_VARIABLE head OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET
                    RESULT_VARIABLE status)
    if("${status}" STREQUAL "0")
        set(commit ${head})
        execute_process(COMMAND git status --porcelain --untracked-files=no --
                                :!*.md :!checkpoints :!benchmarks/results :!scripts
                        WORKING_DIRECTORY ${ROOT} OUTPUT_VARIABLE changes ERROR_QUIET)
        if(NOT "${changes}" STREQUAL "")
            string(APPEND commit -dirty)
        endif()
    endif()
endif()
string(CONCAT text "#include \"runner/cli/commit.h\"\n\nconst char *dv_commit(void)\n{\n"
       "    return \"${commit}\";\n}\n")
set(before "")
if(EXISTS ${OUT})
    file(READ ${OUT} before)
endif()
if(NOT "${before}" STREQUAL "${text}")
    file(WRITE ${OUT} "${text}")
endif()
