# SPDX-License-Identifier: Apache-2.0
# libssh2 >= 1.11.1: 1.10 knows no EtM MACs and signs RSA with SHA-1 alone, so it cannot log in to a
# hardened sshd. The installed one where it is new enough, else its source, linked statically. The
# source is, in this order: FETCHCONTENT_SOURCE_DIR_LIBSSH2, $BELAY_LIBSSH2_SOURCE, the folder that
# tests/setup/libssh2-source.sh fills, the pinned commit. What is built from source is patched (cmake/libssh2).
set(BELAY_LIBSSH2_MINIMUM 1.11.1)
set(belay_libssh2_patch ${CMAKE_CURRENT_LIST_DIR}/libssh2/patch.cmake)

find_package(libssh2 ${BELAY_LIBSSH2_MINIMUM} CONFIG QUIET)
if(TARGET libssh2::libssh2)
  set(BELAY_LIBSSH2_FROM package)
  add_library(belay_libssh2 INTERFACE)
  target_link_libraries(belay_libssh2 INTERFACE libssh2::libssh2)
else()
  find_package(PkgConfig QUIET)
  if(PkgConfig_FOUND)
    pkg_check_modules(BELAY_LIBSSH2 QUIET IMPORTED_TARGET libssh2>=${BELAY_LIBSSH2_MINIMUM})
  endif()
  if(TARGET PkgConfig::BELAY_LIBSSH2)
    set(BELAY_LIBSSH2_FROM pkg-config)
    add_library(belay_libssh2 INTERFACE)
    target_link_libraries(belay_libssh2 INTERFACE PkgConfig::BELAY_LIBSSH2)
  endif()
endif()

# belay_patched_copy(folder result): the source in `folder` is not ours to change. The copy stays while it is up to date.
function(belay_patched_copy folder result)
  set(copy ${CMAKE_BINARY_DIR}/_deps/libssh2-patched)
  file(GLOB files ${folder}/src/* ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/libssh2/*)
  set(stamp "")
  foreach(file IN LISTS files)
    file(SHA256 ${file} sum)
    string(SHA256 stamp "${stamp}${sum}")
  endforeach()
  if(NOT EXISTS ${copy}/${stamp}.stamp)
    file(REMOVE_RECURSE ${copy})
    file(COPY ${folder}/ DESTINATION ${copy})
    execute_process(COMMAND ${CMAKE_COMMAND} -P ${belay_libssh2_patch}
      WORKING_DIRECTORY ${copy} COMMAND_ERROR_IS_FATAL ANY)
    file(TOUCH ${copy}/${stamp}.stamp)
  endif()
  set(${result} ${copy} PARENT_SCOPE)
endfunction()

# A function, so that the settings of this one subproject stay with it.
function(belay_build_libssh2)
  set(CMAKE_POLICY_DEFAULT_CMP0077 NEW)
  set(BUILD_SHARED_LIBS OFF)
  set(BUILD_STATIC_LIBS ON)
  set(BUILD_EXAMPLES OFF)
  set(BUILD_TESTING OFF)
  set(ENABLE_ZLIB_COMPRESSION OFF)
  set(ENABLE_DEBUG_LOGGING OFF)
  set(CRYPTO_BACKEND OpenSSL CACHE STRING "libssh2's cryptography")
  set(cache "$ENV{XDG_CACHE_HOME}")
  if(NOT cache)
    set(cache "$ENV{HOME}/.cache")
  endif()
  foreach(folder "$ENV{BELAY_LIBSSH2_SOURCE}" "${cache}/belay/libssh2")
    if(NOT FETCHCONTENT_SOURCE_DIR_LIBSSH2 AND folder AND EXISTS "${folder}/CMakeLists.txt")
      set(FETCHCONTENT_SOURCE_DIR_LIBSSH2 "${folder}")
    endif()
  endforeach()
  if(FETCHCONTENT_SOURCE_DIR_LIBSSH2)
    belay_patched_copy(${FETCHCONTENT_SOURCE_DIR_LIBSSH2} FETCHCONTENT_SOURCE_DIR_LIBSSH2)
  endif()
  belay_fetch(libssh2 https://github.com/libssh2/libssh2.git
    a312b43325e3383c865a87bb1d26cb52e3292641 # libssh2-1.11.1
    PATCH_COMMAND ${CMAKE_COMMAND} -P ${belay_libssh2_patch})
endfunction()

if(NOT TARGET belay_libssh2)
  belay_build_libssh2()
  set(BELAY_LIBSSH2_FROM source)
  add_library(belay_libssh2 INTERFACE)
  target_link_libraries(belay_libssh2 INTERFACE libssh2_static)
endif()

# Who uses the installed engine links the same one (cmake/install.cmake).
set_target_properties(belay_libssh2 PROPERTIES EXPORT_NAME libssh2)
set_property(GLOBAL PROPERTY belay_libssh2_from ${BELAY_LIBSSH2_FROM})
