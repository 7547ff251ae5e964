# SPDX-License-Identifier: Apache-2.0
# `cmake -P` in the folder of libssh2's source: puts whole_packets.patch in. What has it already, or is of a version that
# it does not fit, stays as it is.
set(patch ${CMAKE_CURRENT_LIST_DIR}/whole_packets.patch)
find_program(patch_program patch)
if(patch_program)
  execute_process(COMMAND ${patch_program} -p1 --forward --dry-run -i ${patch}
    RESULT_VARIABLE refused OUTPUT_QUIET ERROR_QUIET)
endif()
if(patch_program AND refused EQUAL 0)
  execute_process(COMMAND ${patch_program} -p1 -i ${patch} OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
else()
  message(STATUS "libssh2's source stays as it is: no `patch`, or ${patch} is in it or does not fit")
endif()
