# SPDX-License-Identifier: Apache-2.0
# Settings and warnings that every target of ours links, and the two ways to make a target.
find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  # Without these it keeps nothing that uses a precompiled header, which it can check well enough.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
    CCACHE_SLOPPINESS=pch_defines,time_macros ${CCACHE_PROGRAM})
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
endif()

find_package(Threads REQUIRED)

add_library(belay_settings INTERFACE)
target_include_directories(belay_settings INTERFACE ${CMAKE_SOURCE_DIR})
target_link_libraries(belay_settings INTERFACE Threads::Threads)
target_compile_options(belay_settings INTERFACE -Wall -Wextra -Wconversion)
if(NOT BELAY_UNITY) # where a dozen files are one, a name in one shadows another's
  target_compile_options(belay_settings INTERFACE -Wshadow)
endif()
if(BELAY_WARNINGS_AS_ERRORS)
  target_compile_options(belay_settings INTERFACE -Werror)
endif()
if(BELAY_SANITIZE)
  target_compile_options(belay_settings INTERFACE -fsanitize=${BELAY_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(belay_settings INTERFACE -fsanitize=${BELAY_SANITIZE})
  if(BELAY_SANITIZE MATCHES thread)
    # g++ 12's <atomic> fence warning fires inside system headers under this sanitizer.
    target_compile_options(belay_settings INTERFACE -Wno-tsan)
  endif()
endif()
if(BELAY_FUZZ)
  if(NOT CMAKE_CXX_COMPILER_ID MATCHES Clang)
    message(FATAL_ERROR "libFuzzer comes with clang: bash tests/fuzz/run.sh configures this preset")
  endif()
  target_compile_options(belay_settings INTERFACE -fsanitize=fuzzer-no-link)
endif()

# belay_unite(target): with BELAY_UNITY its files are compiled a dozen at a time, in less than half
# the time. For our own targets alone: libraries that are fetched stay as they are.
function(belay_unite target)
  if(BELAY_UNITY)
    set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 12)
    target_compile_options(${target} PRIVATE -Wno-subobject-linkage) # between files
  endif()
endfunction()

# belay_layer(name SOURCES… LINKS…): the library of one folder. Whoever links it once it is installed
# takes over neither our warnings nor our source folder (cmake/install.cmake).
function(belay_layer name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINKS" ${ARGN})
  add_library(belay_${name} STATIC ${ARG_SOURCES})
  add_library(belay::${name} ALIAS belay_${name})
  set_target_properties(belay_${name} PROPERTIES EXPORT_NAME ${name})
  target_compile_features(belay_${name} PUBLIC cxx_std_20)
  target_link_libraries(belay_${name}
    PUBLIC $<BUILD_INTERFACE:belay_settings> Threads::Threads ${ARG_LINKS})
  belay_unite(belay_${name})
endfunction()

# belay_precompile(target HEADER…): parsed once a target, not once a file; nothing where files are
# united, which then parse it once a dozen.
function(belay_precompile target)
  get_target_property(united ${target} UNITY_BUILD)
  if(NOT united)
    target_precompile_headers(${target} PRIVATE ${ARGN})
    # So that ccache sees what it has to.
    target_compile_options(${target} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>)
  endif()
endfunction()

function(belay_precompile_json target)
  belay_precompile(${target} <nlohmann/json.hpp>)
endfunction()

# belay_optimise_sanitized(target): for what would compute for minutes under a sanitizer. The rest is
# not worth it: compiling with -O1 takes twice as long.
function(belay_optimise_sanitized target)
  if(BELAY_SANITIZE)
    target_compile_options(${target} PRIVATE -O1)
  endif()
endfunction()
