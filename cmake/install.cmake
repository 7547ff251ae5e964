# SPDX-License-Identifier: Apache-2.0
# What `cmake --install` puts below the prefix. The prefix may be moved afterwards: the runner looks
# for its agents beside its own executable, and the package finds its files beside itself.
#
#   component runner   bin/belay, share/belay/agents/SYSTEM/belay-agent, documentation
#   component agent    bin/belay-agent, where there is no runner to carry it (BELAY_RUNNER=OFF)
#   component engine   include/belay, lib/belay, lib/cmake/belay: the engine for another front end
include(GNUInstallDirs)

# belay_system_name(variable): Nix's name for the system that is built for, as
# engine/base/system_name.cpp has it.
function(belay_system_name variable)
  string(TOLOWER "${CMAKE_SYSTEM_PROCESSOR}" machine)
  string(TOLOWER "${CMAKE_SYSTEM_NAME}" kernel)
  string(REGEX REPLACE "^arm64$" "aarch64" machine "${machine}")
  string(REGEX REPLACE "^amd64$" "x86_64" machine "${machine}")
  string(REGEX REPLACE "^i[3-6]86$" "i686" machine "${machine}")
  string(REGEX REPLACE "^ppc64le$" "powerpc64le" machine "${machine}")
  set(${variable} "${machine}-${kernel}" PARENT_SCOPE)
endfunction()

# belay_install_engine(): libraries, headers and the CMake package of the engine's layers.
function(belay_install_engine)
  include(CMakePackageConfigHelpers)
  set(layers base agent plan event nix ssh run)
  set(package ${CMAKE_INSTALL_LIBDIR}/cmake/belay)
  set(targets belay_libssh2)
  list(TRANSFORM layers PREPEND belay_ OUTPUT_VARIABLE layer_targets)
  get_property(libssh2_from GLOBAL PROPERTY belay_libssh2_from)
  if(libssh2_from STREQUAL "source") # ours to bring along
    list(APPEND targets libssh2_static)
    get_target_property(libssh2_folder libssh2_static SOURCE_DIR)
    install(FILES ${libssh2_folder}/../include/libssh2.h
      DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/belay COMPONENT engine)
  endif()
  install(TARGETS ${layer_targets} ${targets} EXPORT belay-targets
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}/belay COMPONENT engine
    INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/belay)
  install(EXPORT belay-targets NAMESPACE belay:: DESTINATION ${package} COMPONENT engine)
  foreach(layer IN LISTS layers)
    install(DIRECTORY engine/${layer} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/belay/engine
      COMPONENT engine FILES_MATCHING PATTERN "*.h")
  endforeach()

  set(BELAY_LIBSSH2_FROM ${libssh2_from})
  configure_package_config_file(cmake/package/belayConfig.cmake.in belayConfig.cmake
    INSTALL_DESTINATION ${package})
  write_basic_package_version_file(${CMAKE_BINARY_DIR}/belayConfigVersion.cmake
    COMPATIBILITY SameMinorVersion)
  install(FILES ${CMAKE_BINARY_DIR}/belayConfig.cmake ${CMAKE_BINARY_DIR}/belayConfigVersion.cmake
    DESTINATION ${package} COMPONENT engine)
endfunction()

# A library that was fetched is compiled into our programs; whoever links the engine would need its
# headers and its package as well, which are not ours to install.
get_property(fetched GLOBAL PROPERTY belay_fetched)
set(fetched_for_engine ${fetched})
list(FILTER fetched_for_engine INCLUDE REGEX "^(nlohmann_json|yaml-cpp)$")

if(BELAY_RUNNER)
  install(TARGETS belay RUNTIME COMPONENT runner)
  if(fetched_for_engine)
    message(STATUS "the engine will not be installed as a library: ${fetched_for_engine} was fetched")
  else()
    belay_install_engine()
  endif()
  install(FILES README.md LICENSE cmake/package/copyright TYPE DOC COMPONENT runner)
  install(DIRECTORY docs TYPE DOC COMPONENT runner)
  install(FILES cmake/package/belay.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT runner)
endif()

if(BELAY_AGENT)
  if(BELAY_RUNNER)
    belay_system_name(system)
    # runner/agent_folders.cpp looks there.
    install(PROGRAMS $<TARGET_FILE:belay-agent> DESTINATION share/belay/agents/${system}
      COMPONENT runner)
  else()
    install(TARGETS belay-agent RUNTIME COMPONENT agent)
    install(FILES LICENSE cmake/package/copyright TYPE DOC COMPONENT agent)
  endif()
endif()
