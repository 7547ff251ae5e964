# SPDX-License-Identifier: Apache-2.0
# Settings and warnings that every target of ours links, and the two ways to make a target.
find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
endif()

find_package(Threads REQUIRED)

add_library(belay_settings INTERFACE)
target_include_directories(belay_settings INTERFACE ${CMAKE_SOURCE_DIR})
target_link_libraries(belay_settings INTERFACE Threads::Threads)
target_compile_options(belay_settings INTERFACE -Wall -Wextra -Wshadow -Wconversion)
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
endfunction()

# belay_precompile_json(target): nlohmann/json is parsed once a target, not once a file.
function(belay_precompile_json target)
  target_precompile_headers(${target} PRIVATE <nlohmann/json.hpp>)
endfunction()
