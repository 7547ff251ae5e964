# SPDX-License-Identifier: Apache-2.0
# Every library: the installed one first, else the pinned source. Reasons: docs/dependencies.md.
include(FetchContent)

# belay_fetch(name url commit): the source at one commit; FETCHCONTENT_SOURCE_DIR_<NAME> overrides it.
macro(belay_fetch name url commit)
  FetchContent_Declare(${name} GIT_REPOSITORY ${url} GIT_TAG ${commit})
  FetchContent_MakeAvailable(${name})
endmacro()

find_package(OpenSSL REQUIRED)

find_package(nlohmann_json 3.11 QUIET)
if(NOT nlohmann_json_FOUND)
  belay_fetch(nlohmann_json https://github.com/nlohmann/json.git
    9cca280a4d0ccf0c08f47a99aa71d1b0e52f8d03) # v3.11.3
endif()

find_package(yaml-cpp 0.7 QUIET)
if(NOT yaml-cpp_FOUND)
  set(YAML_CPP_BUILD_TESTS OFF CACHE INTERNAL "")
  set(YAML_CPP_BUILD_TOOLS OFF CACHE INTERNAL "")
  belay_fetch(yaml-cpp https://github.com/jbeder/yaml-cpp.git
    f7320141120f720aecc4c32be25586e7da9eb978) # 0.8.0
endif()
if(NOT TARGET yaml-cpp::yaml-cpp)
  add_library(yaml-cpp::yaml-cpp ALIAS yaml-cpp) # 0.7 has no namespace
endif()

find_package(spdlog 1.10 QUIET)
if(NOT spdlog_FOUND)
  belay_fetch(spdlog https://github.com/gabime/spdlog.git
    27cb4c76708608465c413f6d0e6b8d99a4d84302) # v1.14.1
endif()
