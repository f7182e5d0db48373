"""The screens: wall, console, squad and KPI pages, and the HTTP API behind them."""
