# The CUDA module libdecavox_cuda.so and, for the tests, libdecavox_cudasim.so, which has the same
# sources on a simulated device (tests/cudasim). Sets DV_CUDA_BUILT and DV_CUDASIM_BUILT, and
# DV_CUDA_REASON and DV_CUDASIM_REASON if one is not built.
set_property(CACHE DV_CUDA PROPERTY STRINGS AUTO TOOLKIT ON OFF)
if(NOT DV_CUDA MATCHES "^(AUTO|TOOLKIT|ON|OFF)$")
    message(FATAL_ERROR "DV_CUDA is '${DV_CUDA}'; it can be AUTO, TOOLKIT, ON or OFF")
endif()

# Finds the folders of NVIDIA's pip packages: nvidia/cu13, nvidia/cudnn and others in each
# site-packages of python3, each with include and lib.
function(dv_pip_places out)
    execute_process(COMMAND python3 -c "import nvidia; print(';'.join(nvidia.__path__))"
                    OUTPUT_VARIABLE folders OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
    list(APPEND folders /usr/local/lib/python3*/site-packages/nvidia
         /usr/local/lib/python3*/dist-packages/nvidia)
    list(TRANSFORM folders APPEND /*)
    file(GLOB places LIST_DIRECTORIES true ${folders})
    set(${out} ${places} PARENT_SCOPE)
endfunction()

# Finds the headers and libraries. The module needs both, the simulated device only the headers. The
# toolkit of nvcc is searched first, then others, then pip's packages, whose libraries have only
# versioned names.
function(dv_find_cuda)
    set(places ENV CUDA_PATH ENV CUDA_HOME)
    find_program(DV_NVCC NAMES $ENV{CUDACXX} nvcc HINTS ${places} /usr/local/cuda PATH_SUFFIXES bin)
    if(DV_NVCC)
        get_filename_component(toolkit ${DV_NVCC} REALPATH)
        get_filename_component(toolkit ${toolkit}/../.. ABSOLUTE)
        list(APPEND places ${toolkit})
    endif()
    list(APPEND places /usr/local/cuda)
    dv_pip_places(pip)
    foreach(header cuda_runtime_api.h cudnn.h cublasLt.h cufft.h)
        string(REGEX MATCH "^[a-zA-Z]+" variable ${header})
        string(TOUPPER ${variable}_INCLUDE_DIR variable)
        find_path(${variable} ${header} HINTS ${CUDA_INCLUDE_DIR} ${places} PATHS ${pip}
                  PATH_SUFFIXES include targets/x86_64-linux/include)
    endforeach()
    foreach(names cudart:13:12 cublasLt:13:12 cufft:12:11 cudnn:9)
        string(REPLACE ":" ";" names ${names})
        list(POP_FRONT names name)
        string(TOUPPER ${name}_LIBRARY variable)
        list(TRANSFORM names PREPEND lib${name}.so.)
        find_library(${variable} NAMES ${name} ${names} HINTS ${places} PATHS ${pip}
                     PATH_SUFFIXES lib64 lib targets/x86_64-linux/lib)
    endforeach()
endfunction()

# Finds the architectures of the GPUs that nvidia-smi lists and nvcc knows, for example 90-real.
function(dv_find_gpus out)
    execute_process(COMMAND nvidia-smi --query-gpu=compute_cap --format=csv,noheader
                    RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_QUIET)
    execute_process(COMMAND ${CMAKE_CUDA_COMPILER} --list-gpu-code OUTPUT_VARIABLE known)
    set(found)
    if(result EQUAL 0)
        string(REGEX MATCHALL "[0-9]+\\.[0-9]" found "${output}")
        list(REMOVE_DUPLICATES found)
    endif()
    set(architectures)
    foreach(capability ${found})
        string(REPLACE "." "" number ${capability})
        if(known MATCHES "sm_${number}\n")
            list(APPEND architectures ${number}-real)
        endif()
    endforeach()
    set(${out} ${architectures} PARENT_SCOPE)
endfunction()

# Chooses the architectures according to DV_CUDA. A release supports the recent generations of GPUs,
# and later ones through PTX; other builds support one, for trying things out. nvcc knows 100 and
# 120 from 12.8 on.
function(dv_choose_architectures out)
    if(DV_CUDA STREQUAL AUTO)
        dv_find_gpus(chosen)
    elseif(NOT CMAKE_BUILD_TYPE MATCHES "^(Release|MinSizeRel)$")
        set(chosen 90)
    else()
        execute_process(COMMAND ${CMAKE_CUDA_COMPILER} --version OUTPUT_VARIABLE version)
        string(REGEX REPLACE ".*release ([0-9.]+).*" "\\1" version "${version}")
        set(chosen 80-real 86-real 89-real 90-real 100-real 120)
        if(version VERSION_LESS 12.8)
            set(chosen 80-real 86-real 89-real 90)
        endif()
    endif()
    set(${out} ${chosen} PARENT_SCOPE)
endfunction()

set(missing)
if(DV_CUDA STREQUAL OFF)
    set(missing "DV_CUDA is OFF")
    set(DV_CUDASIM_REASON ${missing})
else()
    dv_find_cuda()
    foreach(name CUDA_INCLUDE_DIR CUDNN_INCLUDE_DIR CUBLASLT_INCLUDE_DIR CUFFT_INCLUDE_DIR)
        if(NOT ${name})
            list(APPEND missing ${name})
        endif()
    endforeach()
    # pip's packages have folders of their own.
    list(APPEND CUDA_INCLUDE_DIR ${CUBLASLT_INCLUDE_DIR} ${CUFFT_INCLUDE_DIR})
    list(REMOVE_DUPLICATES CUDA_INCLUDE_DIR)
    if(missing)
        list(JOIN missing ", " DV_CUDASIM_REASON)
        string(APPEND DV_CUDASIM_REASON " not found")
    endif()
    foreach(name CUDART_LIBRARY CUBLASLT_LIBRARY CUFFT_LIBRARY CUDNN_LIBRARY)
        if(NOT ${name})
            list(APPEND missing ${name})
        endif()
    endforeach()
    include(CheckLanguage)
    check_language(CUDA)
    if(NOT CMAKE_CUDA_COMPILER)
        list(APPEND missing nvcc)
    endif()
    list(JOIN missing ", " missing)
    if(missing)
        string(APPEND missing " not found")
    elseif(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
        dv_choose_architectures(CMAKE_CUDA_ARCHITECTURES)
        if(NOT CMAKE_CUDA_ARCHITECTURES)
            string(CONCAT missing "nvidia-smi names no GPU that nvcc knows; ./quickstart.sh --cuda, "
                                  "or -DDV_CUDA=ON, builds it for the GPUs of a release")
        endif()
    endif()
endif()

if(missing)
    set(DV_CUDA_BUILT OFF)
    set(DV_CUDA_REASON ${missing})
    if(DV_CUDA STREQUAL ON)
        message(FATAL_ERROR "DV_CUDA is ON, but the module cannot be built: ${missing}")
    endif()
    message(STATUS "The CUDA module is not built: ${missing}")
    # The program would load a module of an earlier build.
    file(REMOVE ${PROJECT_BINARY_DIR}/runner/libdecavox_cuda.so)
else()
    set(DV_CUDA_BUILT ON)
    message(STATUS "The CUDA module is built for ${CMAKE_CUDA_ARCHITECTURES}")
    enable_language(CUDA)
endif()

if(NOT DV_CUDASIM_REASON AND NOT CMAKE_SYSTEM_PROCESSOR STREQUAL x86_64)
    set(DV_CUDASIM_REASON "its fibers are written for x86-64")
endif()
if(DV_TESTS AND NOT DV_CUDASIM_REASON)
    set(DV_CUDASIM_BUILT ON)
    enable_language(CXX)
else()
    set(DV_CUDASIM_BUILT OFF)
endif()

# Makes a module without the kernels, which each module compiles in its own way.
function(dv_cuda_module target name)
    get_property(sources GLOBAL PROPERTY DV_CUDA_SOURCES)
    add_library(${target} MODULE ${sources})
    target_link_libraries(${target} PRIVATE dv_flags)
    target_include_directories(${target} SYSTEM PRIVATE ${CUDA_INCLUDE_DIR} ${CUDNN_INCLUDE_DIR})
    target_link_options(${target} PRIVATE LINKER:-z,defs LINKER:--as-needed
                        LINKER:--version-script=${PROJECT_SOURCE_DIR}/cmake/module.map)
    # The program searches its own folder first.
    set_target_properties(${target} PROPERTIES OUTPUT_NAME decavox_${name}
                          LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/runner)
endfunction()

if(DV_CUDA_BUILT)
    dv_cuda_module(dv_cuda cuda)
    target_sources(dv_cuda PRIVATE ${DV_CUDA_KERNELS})
    # Kernels need no libstdc++.
    target_compile_options(dv_cuda PRIVATE $<$<COMPILE_LANGUAGE:CUDA>:-std=c++17
        -Xcompiler=-Wall,-Wextra,-fno-exceptions,-fno-threadsafe-statics>)
    target_link_libraries(dv_cuda PRIVATE ${CUDNN_LIBRARY} ${CUBLASLT_LIBRARY} ${CUFFT_LIBRARY}
                          ${CUDART_LIBRARY})
    set_target_properties(dv_cuda PROPERTIES LINKER_LANGUAGE C CUDA_RUNTIME_LIBRARY None
                          CUDA_VISIBILITY_PRESET hidden INSTALL_RPATH_USE_LINK_PATH ON)
    install(TARGETS dv_cuda LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/decavox)
endif()
