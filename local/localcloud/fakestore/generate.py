"""Records made from a seed and an id alone: any of them at any time, in constant memory.

The real records keep their ids; generated ones follow. A cart has revisions: 0 is how it began, and each next
one differs from the one before, so that a change needs one number of state and no stored record.
"""

from datetime import UTC, datetime, timedelta

from localcloud.fakestore import words
from localcloud.fakestore.data import Record, compact, real_records
from localcloud.fakestore.options import Options

FIRST_DAY = datetime(2020, 1, 1, tzinfo=UTC)
END_DAY = datetime(2026, 1, 1, tzinfo=UTC)
"""Every real and generated cart is dated from FIRST_DAY to before END_DAY."""

QUANTITIES = 10
"""Quantities run from 1 to this."""

_MASK = (1 << 64) - 1


def mixed(value: int) -> int:
    """Spread an integer over 64 bits (the finaliser of splitmix64): near inputs give unrelated outputs."""
    value = (value * 0x9E3779B97F4A7C15) & _MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _MASK
    return value ^ (value >> 31)


class Generator:
    """Serialised products, users and carts by id.

    Carts point at the products and users that the options count, whether or not those still exist.
    """

    def __init__(self, options: Options) -> None:
        self._real_carts = real_records("carts")
        self._real_products = [compact(record) for record in real_records("products")]
        self._real_users = [compact(record) for record in real_records("users")]
        self._real_carts_bytes = [compact(record) for record in self._real_carts]
        self._products = max(1, options.products)
        self._users = max(1, options.users)
        self._lines = options.lines_per_cart
        salt = mixed(options.seed + 1)
        self._salt_products, self._salt_users, self._salt_carts = salt, mixed(salt + 1), mixed(salt + 2)
        days = (END_DAY - FIRST_DAY).days
        self._days = [(FIRST_DAY + timedelta(days=day)).date().isoformat() for day in range(days)]

    def product(self, product_id: int, _revision: int = 0) -> bytes:
        """Return product `product_id` (from 1). Titles and prices are as mixed as the real ones."""
        if product_id <= len(self._real_products):
            return self._real_products[product_id - 1]
        rest = mixed(self._salt_products + product_id)
        rest, category = divmod(rest, len(words.CATEGORIES))
        rest, material = divmod(rest, len(words.MATERIALS))
        rest, thing = divmod(rest, len(words.THINGS))
        rest, cents = divmod(rest, 100_000)
        rest, tenths = divmod(rest, 41)
        # As at the real service: whole prices and rates are integers, and some titles end in a space.
        price = cents // 100 + 1 if rest % 3 == 0 else (cents + 100) / 100
        rate = (tenths + 10) // 10 if tenths % 10 == 0 else (tenths + 10) / 10
        end = " " if rest % 5 == 0 else ""
        return (
            f'{{"id":{product_id},'
            f'"title":"{words.MATERIALS[material]} {words.THINGS[thing]} No. {product_id}{end}",'
            f'"price":{price},"description":"{words.THINGS[thing]}, {words.MATERIALS[material]}: generated.",'
            f'"category":"{words.CATEGORIES[category]}",'
            f'"image":"https://images.fakestore.invalid/{product_id}.jpg",'
            f'"rating":{{"rate":{rate},"count":{rest % 700}}}}}'
        ).encode()

    def user(self, user_id: int, _revision: int = 0) -> bytes:
        """Return user `user_id` (from 1), password `s3cret-pw-{user_id}`."""
        if user_id <= len(self._real_users):
            return self._real_users[user_id - 1]
        rest = mixed(self._salt_users + user_id)
        rest, first = divmod(rest, len(words.FIRST_NAMES))
        rest, last = divmod(rest, len(words.LAST_NAMES))
        rest, city = divmod(rest, len(words.CITIES))
        rest, street = divmod(rest, len(words.STREETS))
        latitude, longitude = rest % 1_800_000 / 10_000 - 90, rest % 3_600_000 / 10_000 - 180
        return (
            f'{{"id":{user_id},"email":"user{user_id}@example.com","username":"user_{user_id}",'
            f'"password":"s3cret-pw-{user_id}",'
            f'"name":{{"firstname":"{words.FIRST_NAMES[first]}","lastname":"{words.LAST_NAMES[last]}"}},'
            f'"phone":"1-555-{rest % 1000:03}-{rest // 1000 % 10_000:04}",'
            f'"address":{{"geolocation":{{"lat":"{latitude:.4f}","long":"{longitude:.4f}"}},'
            f'"city":"{words.CITIES[city]}","street":"{words.STREETS[street]}","number":{rest % 9000 + 1},'
            f'"zipcode":"{rest % 100_000:05}-{rest // 7 % 10_000:04}"}},"__v":0}}'
        ).encode()

    def cart(self, cart_id: int, revision: int = 0) -> bytes:
        """Return cart `cart_id` (from 1) at a revision.

        A revision moves the quantity of the first line on by one (after 10 comes 1); each third one carries a
        line more.
        """
        if cart_id <= len(self._real_carts):
            if revision == 0:
                return self._real_carts_bytes[cart_id - 1]
            return compact(self._revised(self._real_carts[cart_id - 1], revision))
        head = mixed(self._salt_carts + cart_id)
        tail = mixed(head)
        rest, user = divmod(head, self._users)
        rest, day = divmod(rest, len(self._days))
        hour = rest % 24
        lines = self._lines or 1 + head % 4
        products = self._products
        # The step keeps the products of one cart distinct wherever there are enough of them.
        start, step = tail % products, 1 + (tail >> 20) % max(1, (products - 1) // (lines + 1))
        quantities = tail + revision
        lines += revision % 3 == 2
        texts = [f'{{"productId":{start + 1},"quantity":{1 + quantities % QUANTITIES}}}']
        for number in range(1, lines):
            quantity = 1 + (head >> (number * 4 & 63)) % QUANTITIES
            texts.append(f'{{"productId":{(start + number * step) % products + 1},"quantity":{quantity}}}')
        return (
            f'{{"id":{cart_id},"userId":{user + 1},"date":"{self._days[day]}T{hour:02}:00:00.000Z",'
            f'"products":[{",".join(texts)}],"__v":0}}'
        ).encode()

    def _revised(self, cart: Record, revision: int) -> Record:
        first, *others = cart["products"]
        lines = [{**first, "quantity": (first["quantity"] - 1 + revision) % QUANTITIES + 1}, *others]
        if revision % 3 == 2:
            lines.append({"productId": self._products, "quantity": 1})
        return {**cart, "products": lines}
