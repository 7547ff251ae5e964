#!/bin/sh
echo "web server of $(hostname) started"
