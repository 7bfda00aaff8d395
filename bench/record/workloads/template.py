"""Renders a Django template 4,000 times, as pyinstrument's table of overheads does.

The template is ours: a page with a loop, conditions and filters. Needs Django. Usage: template.py [COUNT]
"""
import sys

import django
from django.conf import settings
from django.template import Context, Template

PAGE = """<!doctype html><title>{{ title|title }}</title>
{% for user in users %}{% if user.active %}<li class="{% cycle 'odd' 'even' %}">
{{ forloop.counter }}. {{ user.name|upper }} has {{ user.points|default:"no" }} point{{ user.points|pluralize }}
{% else %}<li>{{ user.name|truncatechars:6 }} is away{% endif %}{% endfor %}"""

if __name__ == "__main__":
    settings.configure(TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates"}])
    django.setup()
    template = Template(PAGE)
    users = [{"name": "user %d" % n, "points": n % 4, "active": n % 3 != 0} for n in range(10)]
    context = Context({"title": "a list of users", "users": users})
    for _ in range(int(sys.argv[1]) if len(sys.argv) > 1 else 4000):
        template.render(context)
