# SPDX-License-Identifier: Apache-2.0
# Every library: the installed one first, else the pinned source. Reasons: docs/dependencies.md.
include(FetchContent)

# What another build of this machine left in the user's package registry is not installed.
set(CMAKE_FIND_USE_PACKAGE_REGISTRY OFF)
set(CMAKE_EXPORT_NO_PACKAGE_REGISTRY ON)

# belay_fetch(name url commit [option...]): the source at one commit; FETCHCONTENT_SOURCE_DIR_<NAME> overrides it.
# It is part of our programs, not of our installation, and its headers' warnings are not ours.
macro(belay_fetch name url commit)
  set_property(GLOBAL APPEND PROPERTY belay_fetched ${name})
  if(CMAKE_VERSION VERSION_GREATER_EQUAL 3.28)
    FetchContent_Declare(${name} GIT_REPOSITORY ${url} GIT_TAG ${commit} ${ARGN} EXCLUDE_FROM_ALL SYSTEM)
    FetchContent_MakeAvailable(${name})
  else()
    FetchContent_Declare(${name} GIT_REPOSITORY ${url} GIT_TAG ${commit} ${ARGN})
    FetchContent_Populate(${name})
    string(TOLOWER ${name} belay_lower)
    add_subdirectory(${${belay_lower}_SOURCE_DIR} ${${belay_lower}_BINARY_DIR} EXCLUDE_FROM_ALL SYSTEM)
  endif()
endmacro()

find_package(nlohmann_json 3.11 QUIET)
if(NOT nlohmann_json_FOUND)
  belay_fetch(nlohmann_json https://github.com/nlohmann/json.git
    9cca280a4d0ccf0c08f47a99aa71d1b0e52f8d03) # v3.11.3
endif()

if(NOT BELAY_RUNNER)
  return() # the agent needs no more
endif()

find_package(OpenSSL REQUIRED)

find_package(yaml-cpp 0.7 QUIET)
if(NOT yaml-cpp_FOUND)
  set(YAML_CPP_BUILD_TESTS OFF CACHE INTERNAL "")
  set(YAML_CPP_BUILD_TOOLS OFF CACHE INTERNAL "")
  belay_fetch(yaml-cpp https://github.com/jbeder/yaml-cpp.git
    56e3bb550c91fd7005566f19c079cb7a503223cf) # 0.9.0
endif()
if(NOT TARGET yaml-cpp::yaml-cpp)
  add_library(yaml-cpp::yaml-cpp ALIAS yaml-cpp) # 0.7 has no namespace
endif()

find_package(spdlog 1.10 QUIET)
if(NOT spdlog_FOUND)
  belay_fetch(spdlog https://github.com/gabime/spdlog.git
    6fa36017cfd5731d617e1a934f0e5ea9c4445b13) # v1.15.3
endif()

find_package(CLI11 2.1 QUIET)
if(NOT CLI11_FOUND)
  belay_fetch(CLI11 https://github.com/CLIUtils/CLI11.git
    6c7b07a878ad834957b98d0f9ce1dbe0cb204fc9) # v2.4.2
endif()

# Debian's has no CMake package: pkg-config knows its flags.
find_package(httplib 0.11 QUIET)
if(NOT httplib_FOUND)
  find_package(PkgConfig QUIET)
  if(PkgConfig_FOUND)
    pkg_check_modules(BELAY_HTTPLIB QUIET IMPORTED_TARGET GLOBAL cpp-httplib>=0.11)
  endif()
  if(TARGET PkgConfig::BELAY_HTTPLIB)
    add_library(httplib::httplib ALIAS PkgConfig::BELAY_HTTPLIB)
  else()
    set(HTTPLIB_REQUIRE_OPENSSL ON CACHE INTERNAL "")
    set(HTTPLIB_USE_ZLIB_IF_AVAILABLE OFF CACHE INTERNAL "")
    set(HTTPLIB_USE_BROTLI_IF_AVAILABLE OFF CACHE INTERNAL "")
    set(HTTPLIB_USE_ZSTD_IF_AVAILABLE OFF CACHE INTERNAL "")
    belay_fetch(httplib https://github.com/yhirose/cpp-httplib.git
      b8fe69e4e892ec394ca8de27ab2fe219008690b6) # v0.53.1
  endif()
endif()
