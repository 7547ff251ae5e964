#!/bin/sh
echo "database of $(hostname) started"
