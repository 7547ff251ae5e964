#!/bin/sh
sleep 2
echo "database of $(hostname) started"
