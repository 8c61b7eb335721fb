"""A support desk: users of the site chat with each other and with a bot, in conversations of the site."""
