// A page that is opened as a file may not read others, so the search shows no lines from the pages it finds.
DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = location.protocol !== "file:";
