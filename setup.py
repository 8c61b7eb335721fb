"""The shim that lets tools call setuptools; everything is in setup.cfg."""

from setuptools import setup

setup()
