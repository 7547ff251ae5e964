# SPDX-License-Identifier: Apache-2.0
# Packages of the component `runner`: `cpack --preset release` makes build/release/belay_*.deb, or an
# archive of the same files where there is no dpkg. What the program links is what dpkg-shlibdeps
# finds, so the package is for the release that it was built on.
if(NOT BELAY_RUNNER)
  return()
endif()

set(BELAY_PACKAGE_MAINTAINER "belay maintainers <maintainers@belay.invalid>" CACHE STRING
  "Who answers for the Debian package")

find_program(BELAY_SHLIBDEPS dpkg-shlibdeps)
set(CPACK_GENERATOR TGZ)
if(BELAY_SHLIBDEPS)
  set(CPACK_GENERATOR DEB)
endif()
set(CPACK_PACKAGE_NAME belay)
set(CPACK_PACKAGE_VENDOR belay)
set(CPACK_PACKAGE_CONTACT "${BELAY_PACKAGE_MAINTAINER}")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_DESCRIPTION}")
set(CPACK_COMPONENTS_ALL runner)
set(CPACK_COMPONENTS_GROUPING ALL_COMPONENTS_IN_ONE)
set(CPACK_ARCHIVE_COMPONENT_INSTALL ON)
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE
  GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)

set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SECTION admin)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
# Nix is no more than suggested: on a CI machine it is as likely not Debian's.
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS openssh-client)
set(CPACK_DEBIAN_PACKAGE_SUGGESTS nix-bin)
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
"Takes a flake written for deploy-rs and, if wanted, a YAML plan; evaluates
once, builds, copies and activates on many hosts at once. Each host decides
by itself whether it ends confirmed on the new profile or back on the one
that ran before. Reports as JSON Lines, JUnit, console text and webhooks.")

# What Debian alone wants to have: a change log, and for lintian what it cannot know.
find_program(BELAY_GZIP gzip)
if(BELAY_SHLIBDEPS AND BELAY_GZIP)
  string(TIMESTAMP BELAY_PACKAGE_DATE "%a, %d %b %Y %H:%M:%S +0000" UTC) # or SOURCE_DATE_EPOCH's
  configure_file(cmake/package/changelog.in package/changelog @ONLY)
  execute_process(COMMAND ${BELAY_GZIP} -9nc ${CMAKE_BINARY_DIR}/package/changelog
    OUTPUT_FILE ${CMAKE_BINARY_DIR}/package/changelog.gz COMMAND_ERROR_IS_FATAL ANY)
  configure_file(cmake/package/lintian-overrides package/belay COPYONLY)
  # Policy wants pages compressed, which other installations do not.
  install(CODE "execute_process(COMMAND ${BELAY_GZIP} -9nf
    \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/share/man/man1/belay.1\" COMMAND_ERROR_IS_FATAL ANY)"
    COMPONENT debian EXCLUDE_FROM_ALL)
  install(FILES ${CMAKE_BINARY_DIR}/package/changelog.gz TYPE DOC COMPONENT debian
    EXCLUDE_FROM_ALL)
  install(FILES ${CMAKE_BINARY_DIR}/package/belay DESTINATION share/lintian/overrides
    COMPONENT debian EXCLUDE_FROM_ALL)
  list(APPEND CPACK_COMPONENTS_ALL debian)
endif()

include(CPack)
