# SPDX-License-Identifier: Apache-2.0
"""What is kept on disk: files written whole, the cache, what a build left in its folder."""
