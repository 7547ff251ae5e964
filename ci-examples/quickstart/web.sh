#!/bin/sh
sleep 1 # as long as a server may take to start
echo "web server of $(hostname) started"
