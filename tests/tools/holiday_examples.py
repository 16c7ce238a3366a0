"""Prints the public holidays of the sixteen German states, of Austria and of Switzerland (the days
that all cantons keep), 2019 to 2035, as a file of worked examples for `kulanz law check`: by the
package `holidays`, which knows nothing of ours."""

import json
import sys

import holidays

STATES = "BW BY BE BB HB HH HE MV NI NW RP SL SN ST SH TH".split()


def days(calendar):
    return sorted(str(day) for day in calendar)


years = {}
for year in range(2019, 2036):
    states = {state: days(holidays.Germany(subdiv=state, years=year)) for state in STATES}
    states["AT"] = days(holidays.Austria(years=year))
    states["CH"] = days(holidays.Switzerland(years=year))
    years[str(year)] = states
json.dump({"holidays": years}, sys.stdout)
