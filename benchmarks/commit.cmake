# Writes OUT, a header with the commit of the sources in ROOT, where that is not what it says:
# "0a1b2c3d4e5f", with "-dirty" where a file of it has been changed, "unknown" where there is no git.
execute_process(COMMAND git rev-parse --short=12 HEAD WORKING_DIRECTORY ${ROOT}
                OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET
                RESULT_VARIABLE status)
if(NOT "${status}" STREQUAL "0")
    set(commit unknown)
else()
    execute_process(COMMAND git status --porcelain --untracked-files=no WORKING_DIRECTORY ${ROOT}
                    OUTPUT_VARIABLE changes ERROR_QUIET)
    if(NOT "${changes}" STREQUAL "")
        string(APPEND commit -dirty)
    endif()
endif()
set(text "#define BENCH_COMMIT \"${commit}\"\n")
set(before "")
if(EXISTS ${OUT})
    file(READ ${OUT} before)
endif()
if(NOT "${before}" STREQUAL "${text}")
    file(WRITE ${OUT} "${text}")
endif()
